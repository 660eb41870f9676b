import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;

/** Posts a file twice to an address, with a Content-Length and chunked, as Java's own client does by default. */
public class PostImage {
    public static void main(String[] arguments) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        HttpRequest.BodyPublisher file = HttpRequest.BodyPublishers.ofFile(Path.of(arguments[1]));
        for (HttpRequest.BodyPublisher body : new HttpRequest.BodyPublisher[] {
                file, HttpRequest.BodyPublishers.fromPublisher(file)}) {
            HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[0]))
                .header("Content-Type", "image/png")
                .POST(body)
                .build();
            HttpResponse<String> response = client.send(request, HttpResponse.BodyHandlers.ofString());
            System.out.println(response.statusCode() + " " + response.body());
        }
    }
}
