// Sends a body that is refused, so many times with each of the JDK's two clients; prints the statuses.
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

public class Refused {
    public static void main(String[] arguments) throws Exception {
        URI address = URI.create(arguments[0]);
        byte[] body = new byte[Integer.parseInt(arguments[1])];
        int turns = Integer.parseInt(arguments[2]);
        HttpClient client = HttpClient.newHttpClient();
        for (int turn = 0; turn < turns; turn++) {
            HttpRequest request = HttpRequest.newBuilder(address).POST(HttpRequest.BodyPublishers.ofByteArray(body)).build();
            System.out.println(client.send(request, HttpResponse.BodyHandlers.ofString()).statusCode());
            HttpURLConnection connection = (HttpURLConnection) address.toURL().openConnection();
            connection.setRequestMethod("POST");
            connection.setDoOutput(true);
            try (OutputStream output = connection.getOutputStream()) {
                output.write(body);
            }
            System.out.println(connection.getResponseCode());
        }
    }
}
