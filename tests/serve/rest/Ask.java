// A Java caller with nothing but the JDK: sends a picture as a form, prints status and body.
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

public class Ask {
    public static void main(String[] arguments) throws Exception {
        String boundary = "picture-boundary";
        ByteArrayOutputStream form = new ByteArrayOutputStream();
        form.write(("--" + boundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"leaf.jpg\"\r\n"
                + "Content-Type: image/jpeg\r\n\r\n").getBytes());
        form.write(Files.readAllBytes(Path.of(arguments[1])));
        form.write(("\r\n--" + boundary + "--\r\n").getBytes());
        HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[0] + "/predict"))
                .header("Content-Type", "multipart/form-data; boundary=" + boundary)
                .POST(HttpRequest.BodyPublishers.ofByteArray(form.toByteArray()))
                .build();
        HttpResponse<String> answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        PrintStream output = new PrintStream(System.out, true, StandardCharsets.UTF_8); // whatever the terminal's own
        output.println(answer.statusCode());
        output.println(answer.body());
    }
}
